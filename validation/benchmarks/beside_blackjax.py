"""blackjax: five points after a thousand Stein steps, and what a particle and step of its Langevin chains costs.

    pip install blackjax==1.7.1 optax==0.2.8 jax==0.10.2       # in an environment of their own
    python validation/benchmarks/beside_blackjax.py            # needs nothing of wgfpde

The chains are those of `langevin.py`: the double well (x² − 1)², τ = 0.005, double precision, one thread; nanoseconds
of the processor, the fastest of seven, without compilation.  The unadjusted crowd is one vector, the adjusted one a
chain a particle, mapped over all; 20 steps a call.  No box and no bins.
"""

import os

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import time

import blackjax
import jax
import jax.numpy as jnp
import optax
from blackjax.sgmcmc.diffusions import overdamped_langevin
from blackjax.vi.svgd import rbf_kernel

STEPS, TAU = 20, 0.005


def five_points():
    """`BLACKJAX` of tests/methods/particles/test_stein.py.  rbf_kernel(x, y) = exp(−(x − y)²/length_scale)."""
    slope = jax.grad(lambda x: -((x - 0.4) ** 2) / 1.6)
    algorithm = blackjax.svgd(slope, optax.sgd(0.01), rbf_kernel, lambda state: state)  # the length stays as it is
    state = algorithm.init(jnp.array([-1.2, -0.7, 0.1, 0.5, 1.4]), {"length_scale": 2 * 0.7**2})
    step = jax.jit(algorithm.step)
    for _ in range(1000):
        state = step(state)
    print("five points:", *[repr(float(x)) for x in state.particles])


def log_density(x):
    return -((x * x - 1) ** 2)


def unadjusted(n):
    one, slope = overdamped_langevin(), jax.vmap(jax.grad(log_density))

    def step(key, x):
        return one(key, x, slope(x), TAU)

    return step, jnp.zeros(n)


def adjusted(n):
    chain = blackjax.mala(log_density, TAU)

    def step(key, state):
        return jax.vmap(chain.step)(jax.random.split(key, n), state)[0]

    return step, jax.vmap(chain.init)(jnp.zeros(n))


def seconds(step, state):
    @jax.jit
    def march(key, state):
        return jax.lax.fori_loop(0, STEPS, lambda k, now: step(jax.random.fold_in(key, k), now), state)

    jax.block_until_ready(march(jax.random.key(0), state))
    found = []
    for seed in range(7):
        start = time.process_time()
        jax.block_until_ready(march(jax.random.key(seed), state))
        found.append(time.process_time() - start)
    return min(found)


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    print(f"blackjax {blackjax.__version__}, optax {optax.__version__}, jax {jax.__version__}")
    five_points()
    for n in (10**5, 10**6):
        for make in (unadjusted, adjusted):
            print(f"{make.__name__:<12}{n:>9}{seconds(*make(n)) / (n * STEPS) * 1e9:>8.1f} ns a particle and step")

"""The words of docs/benchmarks.md; the numbers between them come from the results."""

INTRODUCTION = """
wgfpde beside [py-pde](https://py-pde.readthedocs.io), [FiPy](https://www.ctcms.nist.gov/fipy/),
[fplanck](https://github.com/johnaparker/fplanck), [PyDDM](https://pyddm.readthedocs.io), [POT](https://pythonot.github.io),
[GeomLoss](https://www.kernel-operations.io/geomloss/), [OTT](https://ott-jax.readthedocs.io), the [back-and-forth
method](https://wasserstein-gradient-flows.netlify.app), the explicit steps that anybody
would write first in NumPy, and an entropic JKO step as in the literature (Peyré 2015), on problems whose solution is known:
what does a given error cost, and what else is true of the result?  This page is written by a program from one file of results; what the packages offer beyond speed is
compared in {doc}`comparison`.
"""

FAIR = """
## How it was compared

- **One measure of error.**  Each package gets the initial density and gives back its last one; error, sign, mass and
  energy are computed from these by one program, with solutions that need none of the packages.  The error is Σ h |ρ −
  ρ\\*|, for distances |W₂/W₂\\* − 1|.  Finite volumes (wgfpde, FiPy) and jump rates (fplanck) start from exact cell
  averages and are compared with them; the finite differences of py-pde and PyDDM start from values at the cell centres and are
  compared with these.
- **Each package as its documentation has it**, in more than one way where there are several, each way at several
  resolutions: explicit steps at 0.8 of the stability limit, implicit steps of order 2 with a number of steps that
  grows with the grid.  How each problem was written is at the top of its file in `validation/benchmarks/peers`.
- **Seconds of a solve** are the median of three, from the initial density in memory to the last one, after a warm-up
  in the same process, so that nothing is compiled in them (one run where a solve takes longer than 3 s).  Making the
  mesh, the matrix or the compiled function is *set-up* and not in them, which is in favour of the others: fplanck
  makes its matrix cell by cell in Python, and py-pde compiles every stepper anew.  *First* is the unmeasured warm-up,
  with compilation.
- **Threads** as each package has them by default; wgfpde uses all cores, and rows "1 thread" tell what one core does.
- **Equal error.**  Each row of another package that none of its own rows beats in both error and seconds is held
  against the cheapest row of wgfpde (default threads) with an error that is not larger.  wgfpde's grids lie closer
  together than those of the others, so that this error is not much smaller; its steps are as many as make the errors
  in space and time alike, which for heat partly cancel, as those of explicit steps near their limit do.
- **Mass, sign, energy** are the worst over eight times along the run: the lowest density, the largest relative change
  of the mass, the largest rise of the energy between two of the times, relative to its range.  Bold is beyond
  rounding.
- **Memory** is the peak of the process, imports included.
"""

REVERSE = """
Rows in which another package was cheaper than the cheapest wgfpde row of at most its error, or more accurate than all
of wgfpde's.  Reasons, where there are such rows: explicit steps cost little where diffusion is the same everywhere
and the grid is coarse or 1D, and their errors in space and time partly cancel; exact transport between weights in 1D
is a sort in compiled code; Sinkhorn's divergence between smooth, similar densities is accurate on a very coarse grid;
and an entropic JKO step errs by its blur only, however far the mass moves.
"""

PROBLEMS = {
    "heat": """
∂t ρ = Δρ on [−4, 4]² without flux, the heat kernel from t = 0.1 to 0.5; the solution is a sum of images.  The problem
that suits explicit stencils best: constant coefficients, a smooth density, no potential.
""",
    "well": """
∂t ρ = ∇·(∇ρ + ρ∇V), V = (x² − 1)² + y²/2 on [−3, 3] × [−4, 4], from N(0, 0.05 I) to t = 5.  V is a sum and the start
a product, so that the solution is a product of two 1D solutions, known to 1e-9 by a Legendre–Galerkin method and
checked against extrapolated finite volumes.  The steep walls (|∇V| = 96) bound explicit steps and make the rates of
jump processes on coarse grids huge.  py-pde has no flux form with cell-face potentials: written for ρ it keeps
neither mass nor the Gibbs state; written for g =
ρe^V it keeps the Gibbs state.  FiPy's mid-point steps, as Crank and Nicolson's, undershoot 0 after the narrow start.
""",
    "barenblatt": """
∂t ρ = ∂xx ρ² with mass 1, Barenblatt's solution from t = 0.01 to 0.11 on [−1.5, 1.5]: degenerate diffusion with two
free boundaries.  FiPy sweeps four times a step.  fplanck is for linear equations.
""",
    "ou": """
∂t ρ = ∂x(∂xρ + xρ) on [−7, 7] from N(1, ¼) to t = 1: a Gaussian.  PyDDM is made for decisions, whose paths end at two bounds;
here its bounds lie where nothing arrives.  It makes its matrices anew for each solve, as a fit of its parameters would.
""",
    "jko-gauss": """
One step ρ₁ = argmin ½W₂²(ρ₀, ρ) + τE(ρ), E = ∫ρ ln ρ + ∫ρ|x|²/2, τ = 0.1, from a Gaussian of variance 0.5 at (1,
−0.5): the exact step is a Gaussian.  wgfpde solves a problem without blur, up to one inner step of the transport;
entropic steps are blurred by ε, and cost the more the smaller ε is.  "W₂ itself" is `algorithm = "exact"`.  POT has no JKO steps, but its semi-relaxed
transport with a Kullback–Leibler term is one for this energy; it holds the n⁴ entries of the plan.
""",
    "jko-gauss-10": """
Ten such steps, against the ten exact ones: the blur of entropic steps adds up.
""",
    "jko-power": """
One step of E = ∫ρ² from a paraboloid of radius 0.25 in [0, 1]², τ = 1e-3: the exact step is a paraboloid of radius
0.3246.  A step as large as this (30 % of the radius) is where one inner step of the transport, wgfpde's default, is
not the exact JKO step: its error does not fall with the grid, and four inner steps are more accurate.  The back-and-forth
method (Jacobs, Lee, Léger 2021, arXiv 2011.08151) solves for W₂ itself, as `algorithm = "exact"` does; its authors' C++,
without the files that it writes, does a number of iterations that the table tells as steps.
""",
    "w2-1d": """
W₂ between N(−0.5, 0.6²) and N(0.5, 0.8²) from cell averages.  wgfpde takes them as piecewise constant densities, POT
as weights at the cell centres.
""",
    "w2-2d": """
W₂ between round Gaussians at (−0.5, 0) and (0.5, 0.3) of widths 0.6 and 0.8 in [−5, 5]².  wgfpde takes the
densities as piecewise constant, with bounds; POT takes weights at the cell centres and a matrix of costs, from which
weights below 1e-12 are left out.  The back-and-forth method (Jacobs, Léger 2020) is its authors' C++ and the rule for the
step in their example; densities that nearly vanish are slow for it.
""",
}

PROCESSES = """
Wall seconds from the start of Python to its end, one solve: once with an empty cache of compiled kernels, and again.
wgfpde keeps its kernels on disk; py-pde compiles each time.
"""

REPEAT = """
## How to repeat

```sh
python validation/benchmarks/peers/run.py            # measures; makes .peers/NAME for each package, about 12 minutes
python validation/benchmarks/peers/run.py --quick    # smallest sizes, once, into a file of its own
python validation/benchmarks/peers/run.py --python fipy=/usr/bin/python3 --peer fipy
python validation/benchmarks/peers/run.py --problem ou --peer pyddm --way "Euler, C"  # one row of the tables
make bench-peers PEERS=/path/to/python               # of an environment that has all of them: measures, and writes the page
python validation/benchmarks/peers/run.py --peer back-and-forth --python back-and-forth=/path/to/python
python validation/benchmarks/peers/page.py           # writes this page and its plots from the results
```

The versions of the others are those of the extra `peers` in `pyproject.toml`.  The back-and-forth method is on no index: its
Python modules `w2` and `bfmgf` are built from their repositories (commits c93de45 of Math-Jacobs/bfm and 93f00d5 of
wonjunee/wgfBFMcodes, folder `python`, by `-O3`) into an environment that is named as above.
"""

DISTANCES = """
## Distances between bounds, 2D

`validation/benchmarks/distances.py`, seconds of the processor, one thread. Gaussians in [−5, 5]²: errors of W₂, of its lower and
its upper bound, relative to the distance of the same cells found exactly as a product of two in 1D.

| pair | cells | s | error | lower | upper |
|---|---|---|---|---|---|
| width 0.6 to 1.2 | 128² | 0.051 | -1.0e-04 | -1.5e-03 | 3.8e-03 |
| width 0.6 to 1.2 | 256² | 0.119 | -6.1e-05 | -4.2e-04 | 1.7e-03 |
| width 0.6 to 1.2 | 512² | 0.364 | -5.5e-05 | -1.4e-04 | 4.0e-04 |
| width 0.4 to 0.5, 5 apart | 128² | 0.056 | 3.1e-06 | -5.9e-05 | 9.1e-05 |
| width 0.4 to 0.5, 5 apart | 256² | 0.144 | 3.1e-07 | -1.5e-05 | 2.4e-05 |
| width 0.4 to 0.5, 5 apart | 512² | 0.384 | -5.1e-07 | -4.4e-06 | 9.0e-06 |
| 1.04 apart, width 0.6 to 0.8 | 128² | 0.073 | 1.5e-04 | -1.2e-03 | 3.4e-03 |
| 1.04 apart, width 0.6 to 0.8 | 256² | 0.146 | 3.7e-05 | -3.1e-04 | 1.1e-03 |
| 1.04 apart, width 0.6 to 0.8 | 512² | 0.368 | -1.1e-05 | -9.3e-05 | 3.6e-04 |

Images of 32² cells of side 1: W₂ of the densities, how much it changes on four times the cells, the gap of its bounds of
W₂²; W₂ of the centres of the cells, by the linear programme, to 1e-7.

| pair | s | W₂ | change | gap | of centres | s |
|---|---|---|---|---|---|---|
| white noise | 0.164 | 0.7240 | -1.9e-05 | 5.7e-02 | 0.9380 | 0.86 |
| rough field | 0.083 | 3.2514 | -1.1e-04 | 1.5e-02 | 3.3471 | 0.90 |
| smooth field | 0.130 | 1.2595 | 1.9e-05 | 1.2e-02 | 1.3606 | 0.68 |
| log field | 0.122 | 18.5245 | -1.4e-04 | 4.0e-03 | 18.6308 | 7.6 |
| Cauchy | 0.029 | 14.8056 | -1.6e-05 | 1.7e-03 | 14.8202 | 1.1 |
| discs | 0.030 | 7.7770 | -1.5e-04 | 9.2e-03 | 7.8079 | 0.05 |

Beside other packages, `validation/benchmarks/distance_peers.py`: POT 0.9.7, GeomLoss 0.3.1 (PyTorch 2.14), OTT 0.6.0 (JAX 0.10), seconds of
the processor, one thread, the second of two calls (the first where it took over 20 s), on two cores with other work (load 4 to 5), each
number measured once. Off: relative to the exact distance, of densities constant on cells for wgfpde, of masses at the centres of cells for
the others and for `atoms`; a blur of h is one cell. The entropic solvers are debiased; OTT and POT stop at a threshold of 1e-4 or 5000
iterations. GeomLoss is on dense matrices, as its routine for images depends on KeOps, which was not there. – was not measured.

| pair | solver | 32², s | off | 64², s | off | 128², s | off |
|---|---|---|---|---|---|---|---|
| width 0.6 to 1.2 | wgfpde | 0.13 | -6.9e-05 | 0.021 | -3.9e-04 | 0.037 | -1.0e-04 |
| width 0.6 to 1.2 | wgfpde, atoms | 0.054 | -1.3e-12 | 0.85 | -1.3e-12 | – | – |
| width 0.6 to 1.2 | POT, emd2 | 0.15 | 1.1e-15 | 5 | 4.0e-15 | – | – |
| width 0.6 to 1.2 | POT, Sinkhorn, blur 2h | 0.054 | -3.3e-02 | – | – | – | – |
| width 0.6 to 1.2 | GeomLoss, blur h, scaling 0.5 | 0.17 | -2.0e-02 | 14 | -5.1e-03 | – | – |
| width 0.6 to 1.2 | GeomLoss, blur h, scaling 0.9 | 0.62 | -1.8e-02 | 48 | -4.3e-03 | – | – |
| width 0.6 to 1.2 | OTT, grid, blur 2h | 0.016 | -3.3e-02 | 0.26 | -5.4e-03 | 11 | -1.1e-03 |
| width 0.6 to 1.2 | OTT, grid, blur h | – | – | – | – | – | – |
| width 0.4 to 0.5, 5 apart | wgfpde | 0.03 | 1.1e-05 | 0.029 | 2.7e-05 | 0.056 | 3.1e-06 |
| width 0.4 to 0.5, 5 apart | wgfpde, atoms | 0.086 | -3.9e-14 | 0.028 | -6.2e-05 | – | – |
| width 0.4 to 0.5, 5 apart | POT, emd2 | 0.042 | -1.2e-15 | 1.1 | -3.3e-16 | – | – |
| width 0.4 to 0.5, 5 apart | POT, Sinkhorn, blur 2h | 0.063 | -7.9e-04 | – | – | – | – |
| width 0.4 to 0.5, 5 apart | GeomLoss, blur h, scaling 0.5 | 0.5 | -6.7e-04 | 18 | -1.7e-04 | – | – |
| width 0.4 to 0.5, 5 apart | GeomLoss, blur h, scaling 0.9 | 1.5 | -7.0e-04 | – | – | – | – |
| width 0.4 to 0.5, 5 apart | OTT, grid, blur 2h | 0.013 | -7.9e-04 | 0.17 | -1.8e-04 | 6 | -4.3e-05 |
| width 0.4 to 0.5, 5 apart | OTT, grid, blur h | 0.039 | -7.0e-04 | 0.41 | -1.7e-04 | 20 | -4.2e-05 |

Images of 32² cells, of centres; the exact distance is that of `atoms`.

| 32², centres | rough field, s | off | discs, s | off |
|---|---|---|---|---|
| wgfpde, atoms | 0.057 | – | 0.028 | – |
| POT, emd2 | 0.37 | 8.9e-13 | 0.011 | 1.7e-13 |
| POT, Sinkhorn, blur 2h | 0.25 | -5.2e-02 | 0.14 | -3.6e-03 |
| GeomLoss, blur h, scaling 0.5 | 0.24 | -1.8e-01 | 0.6 | -1.4e-02 |
| GeomLoss, blur h, scaling 0.9 | 0.81 | -3.9e-02 | 2.1 | -3.7e-03 |
| OTT, grid, blur 2h | 0.23 | -5.1e-02 | 0.17 | -3.3e-03 |
| OTT, grid, blur h | 0.87 | -2.4e-02 | 0.19 | -2.5e-03 |

Where others are better: for masses at centres `ot.emd2` gives the exact distance (1e-15). `atoms` meets it to 1e-12 in
five of the six trials here; Gaussians 5 apart on 64² cells it gives to 6e-5 in 0.03 s, `emd2` exactly in 1.1 s. On 32² cells `emd2`
takes half the time of `atoms` for these Gaussians and 0.4 of it for discs; for wide Gaussians and the rough field 3 and 6 times as much.
OTT is the fastest on 32² Gaussians (0.013 and 0.016 s; densities by wgfpde 0.03 and 0.13 s), off by 8e-4 and 3e-2. At a blur of two cells
on 128² it takes 6 and 11 s, wgfpde 0.06 and 0.04 s. On 256², width 0.6 to 1.2, wgfpde takes 0.11 s, off by 6e-5; OTT at a blur of two
cells was stopped after three minutes, and no other took part. The blur is part of the entropic errors, and a smaller one costs
iterations. GeomLoss and OTT give gradients and run on graphics cards; the table does not show it.
"""

LANGEVIN = """
## Langevin particles, pairs and laws

`validation/benchmarks/langevin.py`, time of the processor, one thread, the fastest of seven (pairs, laws: of three), on the
machine above with other work on it (load 9). The NumPy loop is what one writes in a notebook for the double well (x² − 1)²: normal
numbers of the same generator, no box, no bins; a step here reflects at walls and counts the bins as well. 1e6 particles take
1000 steps in 23 s.

| chain | particles | ns a particle and step | NumPy loop |
|---|---|---|---|
| unadjusted, 1D | 1e5 | 21.3 | 23.1 |
| unadjusted, 1D | 1e6 | 22.8 | 19.2 |
| unadjusted, 2D | 1e6 | 40.7 | 40.0 |
| adjusted, 1D | 1e6 | 47.6 | 46.3 |

[blackjax](https://blackjax-devs.github.io/blackjax/) 1.7.1 (jax 0.10.2, double precision, compiled) for the same well, in turns with
this package on one core of the machine above, load 3: the least and the most of four rounds. Its crowd has no box and no bins. Compare the
columns of this table only with each other; `validation/benchmarks/beside_blackjax.py` says how.

| chain | particles | ns a particle and step | blackjax |
|---|---|---|---|
| unadjusted, 1D | 1e5 | 21.7–32.8 | 14.4–16.4 |
| unadjusted, 1D | 1e6 | 21.7–30.1 | 16.3–18.3 |
| adjusted, 1D | 1e6 | 43.1–74.5 | 109–146 |

The pull of 1e4 particles on each other; NumPy in tiles of 32 by 1024 differences.

| kernel | 1D, s | ns a pair | 2D, s | ns a pair | NumPy tiles, 1D and 2D, ns |
|---|---|---|---|---|---|
| r²/2 | 0.00004 | – | 0.0002 | – | |
| exp(−r²/2) | 0.21 | 2.13 | 0.25 | 2.52 | 4.1, 22.3 |
| r | 0.21 | 2.07 | 0.25 | 2.54 | |
| log r | 0.23 | 2.30 | 0.25 | 2.52 | |
| r²/2 up to 0.7, then constant | 0.26 | 2.57 | 0.32 | 3.22 | |

By the mesh, 1e6 particles in 1D take 0.015 s. A step of the law: 0.26 ms for 2000 cells in 1D; in 2D 1.4, 6.0 and 24 ms for 64²,
128² and 256² cells with noise of 1.2, 2.4 and 4.8 cells; adjusted 21 ms for 64².
"""

HISTORY = """
## Is it slower than before?

```sh
make bench-history                                  # the working tree against the last commit
make bench-history COMMITS="HEAD~5 HEAD"            # any two commits, or more: all beside the first
python validation/benchmarks/history/compare.py HEAD . --only fv_,convolution --pairs 99
python validation/benchmarks/history/compare.py --show         # what was measured on this machine, chained
```

Run by hand, not in CI. Seventeen benchmarks of 1 to 300 ms: finite-volume and JKO steps, a W₂ distance, a convolution, a
spectrum, stationary states, a whole run, `wgfpde --help`, the building of a case. A process of each commit stays alive and is
asked in turn for one sample (A B, B A, …), so that a drift of the machine meets both; the clock is processor time, which a
busy machine disturbs less than wall time. The median of the paired ratios comes with a 99 % interval by ranks; pairs are
added until the interval lies on one side of √1.2 (half way to a slowdown of 20 %, in logarithms) or their number is spent. What
seems slower is measured again in new processes and counts only where both say so: exit code 1. Commits are unpacked into
`build/bench-history`, each with its own compiled kernels (a minute or two the first time); rows of commits that lack what is
timed say n/a. Ratios of commits are kept in `validation/benchmarks/history/results.jsonl`, one file per checkout, not in git.

| trial, two shared cores | load | found |
|---|---|---|
| one commit twice, 17 benchmarks | 7 | ratios 0.958 … 1.039, none flagged, 4 undecided; 6 min (2 min of processor) |
| planted: sweeps do a quarter of their work twice, up to 61 pairs | 1 to 3 | 1.155 and 1.168 flagged (a third, whose outer iteration also grew, at 1.66); three others 0.97 … 1.02, not flagged |
| the same, up to 39 pairs | 6 | 1.11, 1.18 undecided, the third flagged |
| raw pairs of one commit by wall time | 7 | 99 % interval of the median of 25 pairs 0.50 … 1.35, by processor time 0.91 … 1.06 |
| asv 0.6.6 `continuous --interleave-rounds`, an empty commit, 3 benchmarks | 5 | ratios 0.51 and 0.15 called significant; 8 min |

Undecided means: repeat it in a quieter hour. A slowdown that waits (disk, locks) needs `--clock wall`, one of threads `--threads 2`.
"""

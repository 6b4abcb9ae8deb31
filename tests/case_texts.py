"""Two small cases in full, for tests of what is laid over them."""

BASE_1D = """
[params]
k = 2
[grid]
shape = [16]
lower = [-1]
upper = [1]
[energy]
internal = { kind = "entropy" }
potential = "k*x**2/2"
[initial]
density = "1 + x**2"
mass = 1
[solver]
method = "fv"
[time]
end = 1
"""
BASE_2D = BASE_1D.replace("[16]", "[8, 6]").replace("[-1]", "[-1, -2]").replace("[1]", "[1, 2]")

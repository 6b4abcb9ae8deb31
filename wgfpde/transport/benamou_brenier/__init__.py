"""The Benamou–Brenier problem on a staggered grid: what distances and JKO steps share."""

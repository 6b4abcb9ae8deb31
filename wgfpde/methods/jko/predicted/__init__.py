"""JKO steps from a prediction of their end: two steps of the finite volumes, then Newton's method on all unknowns.

`prediction` says where a step ends, roughly, `correction` makes that exact, `start` is where interior points begin
where there is no prediction.
"""

"""Structure-preserving finite volumes: implicit two-point fluxes on lines, one axis after the other.

`method` is what a case asks for, `stepper` chooses sizes, `one_step` takes a step, `schemes` splits it by axes.
Sweeps by law: `linear_sweep`, `forced_sweep`, `power_sweeps`, `array_sweeps`; `limiter` repairs what order 2 leaves
negative.   `strides` takes many steps in one compiled call.
"""

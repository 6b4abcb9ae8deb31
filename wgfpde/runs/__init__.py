"""A run: the only time loop, the folder it writes into, where it comes from, and what interrupts it.

`runner` runs a case into a folder, `time_loop` marches, `step_checks` looks at every step, `unstored` leaves no file.
`folder`, `description` and `provenance` say what a run is, `taking_up` from where one goes on; `interrupts`, `progress`
and `listening` who looks on.
"""

"""What solvers are made of: fidelities, starting points, local steps, anchors and final fits."""

"""What a run proves about itself: functional inequalities along the flow, and where its energy went."""

"""Many steps in one compiled call: the same steps, bit for bit, without Python between them."""

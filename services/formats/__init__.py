"""Files that other programs read: MRC, PNG, STAR, Warp XML."""

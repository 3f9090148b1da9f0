"""What the core needs of the world, with one technology each."""

"""What people label, how far they agree, and whether a judge agrees with them."""

"""``fengsui doctor``: what is wrong here and what to do. Checks are pure; ``examine`` reads the machine for them."""

"""Training: a recipe's ingredients, the loop, its states and logs."""

"""What is said of a cluster as a whole: its state in one word, and each cause of what is wrong once. Pure."""

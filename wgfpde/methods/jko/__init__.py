"""The JKO scheme by Benamou and Brenier."""

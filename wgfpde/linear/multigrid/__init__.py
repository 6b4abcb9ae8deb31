"""multigrid"""

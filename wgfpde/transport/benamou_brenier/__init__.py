"""benamou_brenier"""

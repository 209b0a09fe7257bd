"""The published `foresight` package's names, answered by `wrcor_ext`: scripts written for it run unchanged.

The folder that holds this package belongs on `PYTHONPATH`. No module here has logic of its own.
"""

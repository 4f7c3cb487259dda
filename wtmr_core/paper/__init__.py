"""The reproduction of the paper: its figures as data, suites of runs, tables and pictures of them."""

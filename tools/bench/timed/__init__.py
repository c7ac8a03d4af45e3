"""Scripts that are run in a process of their own and print, as JSON, the seconds of one call and what it gave."""

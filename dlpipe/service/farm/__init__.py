"""The device farm: boards whose agents ask this service for work (docs/boards.md).

- `boards.py` which boards there are, whose they are, and who has one to himself while he times
- `tasks.py` what a board is asked, under a lease, with exactly one result
- `answers.py` what a board may answer
- `desk.py` what a job asks of the farm, and waits for; `gateway.py` how its process does
"""

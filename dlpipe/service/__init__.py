"""The compile service: `dlpipe serve`, its workers and its client (docs/service.md).

- `tables.py`, `database.py`, `migrations/`: what is kept, on SQLite or PostgreSQL
- `queue.py` who runs which job, under a lease; `jobs.py` what users do with jobs
- `asked.py` what may be asked of a job: an allow-list, no code and no path of the server
- `uploads.py` content by digest, each team's own; `accounts.py` teams and tokens, `browsers.py` who signed in with one
- `api/` the routes; `web/` the pages for people, which call them; `progress.py` what a job's events add up to
- `worker.py` leases a job, `running.py` watches its process, `child.py` is that process
- `client.py` the same from Python, standard library only
"""

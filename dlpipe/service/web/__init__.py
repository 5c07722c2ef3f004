"""The pages for people: `templates/` rendered on the server, `static/` with one stylesheet and a few ES modules.

They ask the API's own functions, with the caller that the session stands for; what changes something is a request of a
script to the API. Everything that a user, a model or a tool named is hostile text: templates escape it, and scripts
only ever set text. `zh.toml` has the Chinese for every text; English stands in the templates and scripts themselves.
"""

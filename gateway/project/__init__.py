"""Projects of Serverless Devs: reading one for its settings, and starting one.

Theory of operation.  `document` turns YAML into the values of `nodes`, each with its line.
`variables` evaluates an expression only when its value is needed.  `functions` lists the
project's functions and merges what they inherit.  `keys` is the table of known keys; `mapping` goes
through it and returns plain values with their places, which `gateway.config` interprets as
settings.  `starter` has the files of a new project.

Source: the description files of Serverless Devs and the properties of its components `fc` and
`fc3`, as publicly documented.
"""

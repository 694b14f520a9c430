"""Projects of Serverless Devs: reading one for its settings, and starting one.

Theory of operation: `document` turns YAML into the values of `nodes`, each of which knows its line;
`variables` finds what `${…}` stands for, when it is asked for a value and not before; `functions`
lists the project's functions and merges what they inherit; `keys` is the table of what is
understood, and `mapping` goes through it and gives plain values with their places. What the values
mean as settings is for `gateway.config` to say. `starter` writes the files of a new project.

Source: the description files of Serverless Devs and the properties of its components `fc` and
`fc3`, as their public documentation has them.
"""

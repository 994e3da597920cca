"""Load balancers' data plane over Envoy: what is wanted as values, Envoy's resources, its configuration server, its
process, target health and counters.

`base` has the words, `snapshot` the pure translation, `engine` puts the pieces together for one network namespace,
`simulated` is its twin. Knows no store, no room and no AWS words.
"""

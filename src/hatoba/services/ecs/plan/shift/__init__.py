"""A deployment that shifts traffic: how it is configured, which stage comes next, who gets how much. Values only.

configuration  the model's DeploymentConfiguration: checked, complete, and read as a course
counts         how many tasks each revision is to have at a stage
traffic        the weights that a stage wants, who may be given them, and the rules that carry them
hooks          the runs of lifecycle hooks that a stage begins, and what came of them
stages         from one stage to the next
"""

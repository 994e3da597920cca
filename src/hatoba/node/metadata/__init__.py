"""The endpoint at 169.254.170.2 that containers ask: credentials of their role, and facts about themselves.

endpoint   the server inside each VPC's router; who asks is known by the source address
views      the bodies of versions 3 and 4 of the task metadata endpoint (pure)
"""

"""Names: who is asked, what is known here, and who is asked in turn.

base      the values and seams of it all
zone      names we know → what is to be said about them (pure)
replies   messages: bytes → a query, what is to be said → bytes (pure, by dnspython)
desk      one message in, one message out: from our zones, or from upstream
forward   asks the host's own resolvers; `cache` remembers for as long as they allow
server    UDP and TCP, on sockets that are handed in, with bounds on who may ask how much
"""

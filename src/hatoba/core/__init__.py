"""The words everything else is written in. Imported by all, imports nobody: no AWS services, stores or networks.

records    the base of everything that is stored
keys       how it is found: partition, account, region, type, id
arn        Amazon Resource Names
ids        every other id, and chance
secret     values that are in clear nowhere else
pages      page tokens
errors     what goes wrong, and how that is told
verdicts   why a request was refused, sealed
clock      time, handed in
virtual    an event loop whose time is not the world's
tasks      work in the background that is never lost
threads    work that would hold up the loop
disk       such work on the disk
files      files that are there whole or not at all, after a power cut too
checksums  what clients send along with bytes: CRCs and SHAs
regular    regular expressions that cannot hold up the loop
relay      bytes between two connections
reach      where the platform goes for somebody
"""

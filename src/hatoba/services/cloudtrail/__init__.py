"""CloudTrail: who did what, when, from where, and what was decided.

recorder    implements `gateway.audit.Auditor`: takes what happens, writes it to the trail (`hatoba.trail`) by the batch
plan/       pure: a call as CloudTrail's event, what it was about, whether it only reads
api         LookupEvents and its like
model       events of calls that write, until they are on the trail
"""

"""Bytes that are kept for others, encrypted: an engine that knows neither buckets nor AWS.

sealing   a file's chunks: sealed one by one, so that any range can be read alone
disk      work beside the loop, and what an error of the disk means
files     the engine: bytes in, durable before they are told of; any range out; what nobody wants is swept
"""

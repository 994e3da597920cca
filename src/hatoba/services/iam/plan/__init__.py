"""What IAM decides, pure.

totp        codes of second factors
passwords   whether one conforms, and what is kept of it
granting    which services a policy lets somebody use
saml        a provider's metadata, as far as IAM looks at it
report      the credential report
"""

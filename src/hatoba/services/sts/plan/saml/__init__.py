"""SAML 2.0 assertions: read, and believed where a provider's key signed them. Pure.

    words       what is said of those that are refused; names of XML's
    metadata    what a provider published: who it is, and its certificates
    tree        bytes → a tree, with nothing in it that a parser would have to fetch or to multiply
    signature   the part of a tree that a certificate's key signed, and nothing else of it
    encryption  an assertion that came encrypted
    reading     all of it: a request's text → what the assertion says
    assertion   what is known then
    claims      what it must say: for whom, until when, which roles
    keys        what policies may ask of it

`lxml` and `signxml` are behind `tree` and `signature`; `reading` leads there, and is imported with the first assertion:
most platforms never see one.
"""

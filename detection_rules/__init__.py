"""Events -> findings -> alerts: the Sigma engine and the rule library; pure, importing only ``soc_model``.

Read in this order: ``library`` (files to documents), ``ruleset`` (documents to rules), ``snapshot`` (rules to an
engine), ``detect`` (events to findings), ``triage`` (findings to alerts).
"""

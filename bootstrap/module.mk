# flynn-bootstrap: a manifest of actions.
$(call program,flynn-bootstrap,bootstrap/main.c,)

"""What the JSON of each command promises: names, and the types that scripts may rely on.

A schema is a type, a dict of the fields that must be there ("?" before the name of one that may
be null), or a list with the schema of every entry, of which there must be one."""

_STATUS = {"version": 1, "plan_id": str, "state": str,
           "runs": [{"run_id": str, "state": str, "steps": int}]}

SCHEMAS = {
    "version": {"version": 1, "program": str, "program_version": str, "commit": str,
                "compiler": str, "?libtorch": str, "grpc": str, "cpu_features": list},
    "errors": {"version": 1, "errors": [{"id": str, "group": str, "meaning": str, "causes": str,
                                         "what_to_do": str, "page": str}]},
    "doctor": {"version": 1, "ok": bool,
               "checks": [{"check": str, "verdict": str, "found": str, "fix": str}]},
    "metrics": {"version": 1, "metrics": [{"name": str, "type": str, "of": str, "labels": list,
                                           "unit": str, "help": str, "more": str}]},
    "status": _STATUS,
    "done": {**_STATUS, "report": str},
}


def problems(value, schema, where=""):
    """What of `value` is not as the schema (or the one of that name) says; a list of texts."""
    if isinstance(schema, str):
        schema = SCHEMAS[schema]
    if isinstance(schema, type):
        return [] if isinstance(value, schema) else ["%s is %r, no %s" %
                                                     (where, value, schema.__name__)]
    if isinstance(schema, dict):
        if not isinstance(value, dict):
            return ["%s is no object" % where]
        found = []
        for name, part in schema.items():
            field = name.lstrip("?")
            if field not in value:
                found.append("%s.%s is missing" % (where, field))
            elif not (name != field and value[field] is None):
                found += problems(value[field], part, "%s.%s" % (where, field))
        return found
    if isinstance(schema, list):
        if not isinstance(value, list) or not value:
            return ["%s is no list with entries" % where]
        return [problem for i, entry in enumerate(value)
                for problem in problems(entry, schema[0], "%s[%d]" % (where, i))]
    return [] if value == schema else ["%s is %r, not %r" % (where, value, schema)]

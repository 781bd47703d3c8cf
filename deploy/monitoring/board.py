"""The Grafana board "Run" as data; generate.py writes dashboards/run.json from it."""

# Filters by the board's variables. The coordinator's page tells of all runs, whichever worker is chosen.
RUN = 'plan=~"$plan",run=~"$run"'
STUDENT = RUN + ',instance=~"$instance"'
TEACHER = 'plan=~"$plan",instance=~"$instance"'
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
# Legend of what is told by plan and run: two plans may have runs of one name.
OF_RUN = "{{plan}} {{run}}"
WIDTH = 24


def rate(metric, filters):
    return "rate(%s{%s}[$__rate_interval])" % (metric, filters)


def share(part, whole):
    """0 where there is nothing to share, as of a cache that was not asked."""
    return "%s\n/\nclamp_min(%s, 1e-9)" % (part, whole)


def target(expr, legend, instant=False):
    return {"expr": expr, "legendFormat": legend, "instant": instant, "range": not instant, "datasource": SOURCE}


def panel(title, width, description, unit, *targets, kind="timeseries", custom=(), options=(), **defaults):
    """`description` says what good looks like. `custom`, `defaults`: of its fieldConfig."""
    for number, each in enumerate(targets):
        each["refId"] = chr(ord("A") + number)
    return {
        "title": title, "type": kind, "description": description, "datasource": SOURCE,
        "gridPos": {"w": width, "h": 7}, "targets": list(targets),
        "fieldConfig": {"defaults": {"unit": unit, **defaults, "custom": dict(custom)}, "overrides": []},
        "options": dict(options),
    }


def row(title):
    return {"title": title, "type": "row", "collapsed": False, "panels": [], "gridPos": {"w": WIDTH, "h": 1}}


def _getting_on():
    reached = "max by (plan, run) (distill_coordinator_run_reached_steps{%s})" % RUN
    planned = "max by (plan, run) (distill_coordinator_run_planned_steps{%s})" % RUN
    steps = "max by (plan, run) (%s)" % rate("distill_student_steps_total", STUDENT)
    last = "max by (plan, run) (distill_student_last_%%s_timestamp_seconds{%s})" % RUN
    calculations = {"reduceOptions": {"calcs": ["lastNotNull"]}}
    return [
        row("Is it getting on?"),
        panel("State of each run", 12, "Good: pending, active, done. waiting: workers or teachers are missing. broken: see the "
              "runbook of DistillRunBroken.", "none",
              target("max by (plan, run, state) (distill_coordinator_run_state{%s}) == 1" % RUN, OF_RUN + " {{state}}"),
              kind="state-timeline", custom={"fillOpacity": 70}, options={"showValue": "never", "mergeValues": True}),
        panel("Progress", 6, "Good: rises to 100 %. It falls when a run goes on from a checkpoint.", "percentunit",
              target("%s\n/\nclamp_min(%s, 1)" % (reached, planned), OF_RUN, instant=True),
              kind="bargauge", options={"orientation": "horizontal", **calculations}, min=0, max=1),
        panel("Time left", 6, "At the present speed; of runs that make steps. Good: falls as time passes.", "s",
              target("(%s - %s)\n/\n(%s > 0)" % (planned, reached, steps.replace(STUDENT, RUN)), OF_RUN, instant=True),
              kind="stat", options=calculations),
        panel("Steps per second", 8, "Steps of the run: all ranks make them together. Good: steady; short dips are evaluations and "
              "checkpoints.", "suffix: steps/s", target(steps, OF_RUN), min=0),
        panel("Examples per second", 8, "Of all ranks. Good: steady, and more with more student workers.", "suffix: examples/s",
              target("sum by (plan, run) (%s)" % rate("distill_student_items_total", STUDENT), OF_RUN), min=0),
        panel("Work since the last checkpoint", 8, "Checkpoint age: what would be lost now. Good: a saw tooth that stays below half an "
              "hour, where DistillCheckpointStale begins.", "s",
              target("clamp_min(%s - %s, 0)" % (last % "step", last % "checkpoint"), OF_RUN), min=0),
    ]


def _waiting():
    phases = rate("distill_student_phase_seconds_total", STUDENT)
    return [
        row("What does it wait for?"),
        panel("Waiting for the teacher", 8, "Starved ratio: the share of the workers' time that asking ahead did not hide. Good: below "
              "10 %; DistillStudentStarved begins at 50 %.", "percentunit",
              target(share("sum by (plan, run) (%s)" % rate("distill_student_starved_seconds_total", STUDENT),
                           "sum by (plan, run) (%s)" % phases), OF_RUN), min=0, max=1),
        panel("Where the time goes", 16, "Shares of the wall time of the chosen runs' workers. Good: forward and backward are most of it; "
              "docs/metrics.md, What bounded a run, has the rules for the others.", "percentunit",
              target("sum by (phase) (%s)\n/ ignoring (phase) group_left ()\nclamp_min(sum(%s), 1e-9)" % (phases, phases), "{{phase}}"),
              custom={"stacking": {"mode": "normal"}, "fillOpacity": 60, "lineWidth": 0}, min=0, max=1),
    ]


def _learning():
    def last_step(title, what, description, unit="none"):
        return panel(title, 8, description, unit,
                     target("avg by (plan, run) (distill_student_%s{%s})" % (what, STUDENT), OF_RUN))

    return [
        row("Does it learn?"),
        panel("Loss and its terms", 12, "Of the last step, before weighting but for the total, the mean of the ranks. Good: falls, then "
              "levels off. The total moves with the schedules too.", "none",
              target("avg by (plan, run, term) (distill_student_loss{%s})" % STUDENT, OF_RUN + " {{term}}")),
        panel("Accuracy", 12, "Share of the validation split predicted right; from the first evaluation on. Good: rises towards the "
              "teacher's.", "percentunit",
              target("max by (plan, run, split) (distill_student_eval_accuracy_ratio{%s})" % RUN, OF_RUN + " {{split}}")),
        last_step("Temperature", "temperature", "As the plan's schedule has it. Good: the same on all ranks, on the planned curve."),
        last_step("Soft weight", "soft_weight", "Weight of the soft labels; the plan's schedule. Good: on the planned curve."),
        last_step("Learning rate", "learning_rate", "The plan's schedule. Good: on the planned curve.", "sci"),
    ]


def _teachers():
    latency = "histogram_quantile(%%s, sum by (le) (%s))" % rate("distill_teacher_request_duration_seconds_bucket", TEACHER)
    fill = "sum(%s)" % rate("distill_teacher_batch_fill_ratio_%s", TEACHER)
    cache = "sum by (tier) (%s)" % rate("distill_teacher_cache_%s_total", TEACHER)
    queue = "sum by (process, instance) (distill_teacher_queue_%%s{%s})" % TEACHER
    return [
        row("Do the teachers keep up?"),
        panel("Rows labelled per second", 8, "Of each teacher server. Good: alike on all of them.", "suffix: rows/s",
              target("sum by (process, instance) (%s)" % rate("distill_teacher_items_total", TEACHER), "{{process}} {{instance}}"), min=0),
        panel("From admission to the answer", 8, "p50 and p99 over the chosen teacher servers. Good: p99 a small multiple of p50, and both "
              "less than the steps asked ahead take.", "s",
              target(latency % "0.5", "p50"), target(latency % "0.99", "p99"), min=0),
        panel("Queue", 8, "What waits at each teacher server. Good: falls to 0 again and again; a queue that only grows ends in "
              "shedding.", "none",
              target(queue % "items", "{{process}} {{instance}} examples"),
              target(queue % "requests", "{{process}} {{instance}} requests"), min=0),
        panel("Batch fill", 8, "Mean share of the largest batch. Good: high when the teachers are what bounds the run; low when they have "
              "room.", "percentunit", target(share(fill % "sum", fill % "count"), "fill"), min=0, max=1),
        panel("Requests shed", 8, "Refused or dropped, by why. Good: 0; DistillTeacherShedding begins at 5 % of the requests.", "reqps",
              target("sum by (reason) (%s)" % rate("distill_teacher_shed_requests_total", TEACHER), "{{reason}}"), min=0),
        panel("Rows found in the label cache", 8, "Share of the rows looked for, by tier; 0 when none was looked for. Good: near 100 % "
              "from the second epoch on where views come again.", "percentunit",
              target(share(cache % "hits", "%s + %s" % (cache % "hits", cache % "misses")), "{{tier}}"), min=0, max=1),
    ]


def _changes():
    return [
        row("What changed?"),
        panel("Generation of each run", 12, "Rises when the ranks have to meet anew; steps since the last checkpoint are then trained "
              "again. Good: level.", "none",
              target("max by (plan, run) (distill_coordinator_run_generation{%s})" % RUN, OF_RUN), decimals=0),
        panel("Starts of the coordinator", 6, "Its fence. Good: level.", "none",
              target('max by (plan) (distill_coordinator_generation{plan=~"$plan"})', "{{plan}}"), decimals=0),
        panel("Processes that attend", 6, "As the coordinator counts them. Good: all alive; gone ones are those of old times.", "none",
              target('max by (plan, role, state) (distill_coordinator_members{plan=~"$plan"})', "{{plan}} {{role}} {{state}}"), decimals=0),
    ]


def _placed(panels):
    """Left to right, a line of panels as high as its highest; and their ids."""
    x = y = 0
    for number, each in enumerate(panels, 1):
        grid = each["gridPos"]
        if x + grid["w"] > WIDTH:
            raise ValueError("'%s' does not fit into its line" % each["title"])
        each["id"] = number
        grid.update(x=x, y=y)
        x += grid["w"]
        if x == WIDTH:
            x, y = 0, y + grid["h"]
    return panels


def _variable(name, label, of):
    """Its All also takes what has no such label."""
    return {"name": name, "label": label, "type": "query", "datasource": SOURCE,
            "query": {"query": "label_values(%s, %s)" % (of, name), "refId": name},
            "refresh": 2, "sort": 1, "multi": True, "includeAll": True, "allValue": ".*",
            "current": {"selected": True, "text": ["All"], "value": ["$__all"]}}


def _annotation(name, color, what, text, tag):
    """Where `what` changes: of a subquery, since a coordinator that was started anew has a series of its own."""
    return {"name": name, "datasource": SOURCE, "enable": True, "iconColor": color,
            "expr": "changes(%s[$__rate_interval:]) > 0" % what, "titleFormat": name, "textFormat": text, "tagKeys": tag}


def board():
    return {
        "id": None, "uid": "distillery-run", "title": "Run", "tags": ["distillery"], "schemaVersion": 39, "version": 1,
        "description": "Is the run getting on, what does it wait for, does it learn, do its teachers keep up?",
        "editable": False, "graphTooltip": 1, "refresh": "10s", "timezone": "browser",
        "time": {"from": "now-1h", "to": "now"}, "links": [],
        "templating": {"list": [
            {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus",
             "current": {}, "includeAll": False, "multi": False},
            _variable("plan", "Plan", "distill_build_info"),
            _variable("run", "Run", 'distill_coordinator_run_state{plan=~"$plan"}'),
            _variable("instance", "Instance", 'distill_build_info{plan=~"$plan"}'),
        ]},
        "annotations": {"list": [
            _annotation("New generations", "orange", "max by (plan, run) (distill_coordinator_run_generation{%s})" % RUN,
                        "the ranks of {{run}}, plan {{plan}}, met anew", "run"),
            _annotation("Coordinator starts", "red", 'max by (plan) (distill_coordinator_generation{plan=~"$plan"})',
                        "the coordinator of {{plan}} was started anew", "plan"),
        ]},
        "panels": _placed(_getting_on() + _waiting() + _learning() + _teachers() + _changes()),
    }

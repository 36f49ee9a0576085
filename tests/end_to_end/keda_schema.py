"""What KEDA takes in the objects that we use, as JSON Schema: the fields of its own documents, and no others.

Sources: keda.sh, "ScaledObject specification" (2.15 to 2.22), "Metrics API" scaler and "Authentication" (2.13 and
later, which know bearer tokens), and the CRDs in kedacore/keda, config/crd/bases.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]


def only(required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    """An object with these fields and no others."""
    fields = required | (optional or {})
    return {"type": "object", "properties": fields, "required": list(required), "additionalProperties": False}


TEXT: Schema = {"type": "string", "minLength": 1}
COUNT: Schema = {"type": "integer", "minimum": 0}
NUMBER_AS_TEXT: Schema = {"type": "string", "pattern": r"^\d+(\.\d+)?$"}
"""Metadata of triggers are texts, also where they are numbers."""
METADATA = only({"name": TEXT}, {"namespace": TEXT})

POLICY = only(
    {
        "type": {"enum": ["Pods", "Percent"]},
        "value": {"type": "integer", "minimum": 1},
        "periodSeconds": {"type": "integer", "minimum": 1, "maximum": 1800},
    }
)
RULES = only(
    {},
    {
        "stabilizationWindowSeconds": {"type": "integer", "minimum": 0, "maximum": 3600},
        "selectPolicy": {"enum": ["Max", "Min", "Disabled"]},
        "policies": {"type": "array", "items": POLICY, "minItems": 1},
    },
)
AUTOSCALER = only({}, {"name": TEXT, "behavior": only({}, {"scaleUp": RULES, "scaleDown": RULES})})

METRICS_API = only(
    {
        "type": {"const": "metrics-api"},
        "metadata": only(
            {"url": {"type": "string", "pattern": "^https?://"}, "valueLocation": TEXT, "targetValue": NUMBER_AS_TEXT},
            {
                "activationTargetValue": NUMBER_AS_TEXT,
                "authMode": {"enum": ["apiKey", "basic", "tls", "bearer"]},
                "unsafeSsl": {"enum": ["true", "false"]},
            },
        ),
    },
    {
        "name": TEXT,
        "metricType": {"enum": ["AverageValue", "Value"]},
        "useCachedMetrics": {"type": "boolean"},
        "authenticationRef": only({"name": TEXT}, {"kind": {"enum": ["TriggerAuthentication"]}}),
    },
)

SCALED_OBJECT = only(
    {
        "apiVersion": {"const": "keda.sh/v1alpha1"},
        "kind": {"const": "ScaledObject"},
        "metadata": METADATA,
        "spec": only(
            {
                "scaleTargetRef": only({"name": TEXT}, {"apiVersion": TEXT, "kind": TEXT}),
                "triggers": {"type": "array", "items": METRICS_API, "minItems": 1},
            },
            {
                "pollingInterval": COUNT,
                "cooldownPeriod": COUNT,
                "initialCooldownPeriod": COUNT,
                "minReplicaCount": COUNT,
                "maxReplicaCount": COUNT,
                "advanced": only({}, {"horizontalPodAutoscalerConfig": AUTOSCALER}),
            },
        ),
    }
)
SECRET = only({"parameter": TEXT, "name": TEXT, "key": TEXT})
TRIGGER_AUTHENTICATION = only(
    {
        "apiVersion": {"const": "keda.sh/v1alpha1"},
        "kind": {"const": "TriggerAuthentication"},
        "metadata": METADATA,
        "spec": only({"secretTargetRef": {"type": "array", "items": SECRET, "minItems": 1}}),
    }
)
SCHEMAS = {"ScaledObject": SCALED_OBJECT, "TriggerAuthentication": TRIGGER_AUTHENTICATION}

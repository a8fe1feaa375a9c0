"""SNS topics and SQS queues, whose settings are attributes, all of them text; GuardDuty."""

from typing import cast

from sequester.cloud.api import Aws, RefusedError
from sequester.cloud.kind import Call, Kind, code
from sequester.cloud.wire import Props

_TOPIC = {
    "applicationFailureFeedbackRoleArn": "ApplicationFailureFeedbackRoleArn",
    "contentBasedDeduplication": "ContentBasedDeduplication",
    "deliveryPolicy": "DeliveryPolicy",
    "displayName": "DisplayName",
    "fifoTopic": "FifoTopic",
    "kmsMasterKeyId": "KmsMasterKeyId",
    "lambdaFailureFeedbackRoleArn": "LambdaFailureFeedbackRoleArn",
    "lambdaSuccessFeedbackRoleArn": "LambdaSuccessFeedbackRoleArn",
    "policy": "Policy",
    "signatureVersion": "SignatureVersion",
    "tracingConfig": "TracingConfig",
}
_QUEUE = {
    "contentBasedDeduplication": "ContentBasedDeduplication",
    "delaySeconds": "DelaySeconds",
    "fifoQueue": "FifoQueue",
    "kmsDataKeyReusePeriodSeconds": "KmsDataKeyReusePeriodSeconds",
    "kmsMasterKeyId": "KmsMasterKeyId",
    "maxMessageSize": "MaximumMessageSize",
    "messageRetentionSeconds": "MessageRetentionPeriod",
    "policy": "Policy",
    "receiveWaitTimeSeconds": "ReceiveMessageWaitTimeSeconds",
    "redriveAllowPolicy": "RedriveAllowPolicy",
    "redrivePolicy": "RedrivePolicy",
    "sqsManagedSseEnabled": "SqsManagedSseEnabled",
    "visibilityTimeoutSeconds": "VisibilityTimeout",
}


def _attributes(state: Props, names: dict[str, str]) -> dict[str, str]:
    given = {attribute: state[name] for name, attribute in names.items() if state.get(name) is not None}
    return {k: str(v).lower() if isinstance(v, bool) else str(v) for k, v in given.items()}


def _tags(state: Props) -> list[Props]:
    return [{"Key": k, "Value": v} for k, v in cast(dict[str, str], state.get("tags") or {}).items()]


@code(takes=f"name tags {' '.join(_TOPIC)}", gives="arn owner")
def create_topic(aws: Aws, state: Props) -> Props:
    """A topic with its attributes."""
    made = aws.call("sns.create_topic", Name=state["name"], Attributes=_attributes(state, _TOPIC), Tags=_tags(state))
    return {"id": made["TopicArn"], "arn": made["TopicArn"], "owner": aws.account}


@code(takes=" ".join(name for name in _TOPIC if name != "fifoTopic"))
def set_topic(aws: Aws, state: Props) -> None:
    """SNS changes one attribute a call."""
    for name, value in _attributes(state, _TOPIC).items():
        if name != "FifoTopic":
            aws.call("sns.set_topic_attributes", TopicArn=state["id"], AttributeName=name, AttributeValue=value)


TOPIC = Kind(
    "aws:sns/topic:Topic",
    create=create_topic,
    read=Call("sns.get_topic_attributes", fixed={"TopicArn": "{id}"}, at="Attributes", only=()),
    changes=(set_topic,),
    delete=Call("sns.delete_topic", fixed={"TopicArn": "{id}"}, only=()),
    absent=frozenset({"beginningArchiveTime"}),
)
TOPIC_POLICY = Kind(
    "aws:sns/topicPolicy:TopicPolicy",
    create=Call(
        "sns.set_topic_attributes",
        names={"arn": "TopicArn", "policy": "AttributeValue"},
        fixed={"AttributeName": "Policy"},
    ),
    changes=(
        Call(
            "sns.set_topic_attributes",
            names={"policy": "AttributeValue"},
            fixed={"AttributeName": "Policy", "TopicArn": "{arn}"},
            only=("policy",),
        ),
    ),
    delete=None,
    id="{arn}",
    computed={"owner": "{account}"},
)
_SUBSCRIPTION = {
    "deliveryPolicy": "DeliveryPolicy",
    "filterPolicy": "FilterPolicy",
    "filterPolicyScope": "FilterPolicyScope",
    "rawMessageDelivery": "RawMessageDelivery",
    "redrivePolicy": "RedrivePolicy",
}


@code(takes=f"topic protocol endpoint {' '.join(_SUBSCRIPTION)}", gives="arn ownerId")
def subscribe(aws: Aws, state: Props) -> Props:
    """A subscription; one by mail waits for its confirmation, as it does on AWS."""
    made = aws.call(
        "sns.subscribe",
        TopicArn=state["topic"],
        Protocol=state["protocol"],
        Endpoint=state["endpoint"],
        Attributes=_attributes(state, _SUBSCRIPTION),
        ReturnSubscriptionArn=True,
    )
    arn = made["SubscriptionArn"]
    return {"id": arn, "arn": arn, "ownerId": aws.account, "pendingConfirmation": "email" in str(state["protocol"])}


SUBSCRIPTION = Kind(
    "aws:sns/topicSubscription:TopicSubscription",
    create=subscribe,
    delete=Call("sns.unsubscribe", fixed={"SubscriptionArn": "{id}"}, only=()),
    absent=frozenset({"confirmationWasAuthenticated", "pendingConfirmation"}),
    local=frozenset({"confirmationTimeoutInMinutes", "endpointAutoConfirms"}),
)


@code(takes=f"name tags {' '.join(_QUEUE)}", gives="arn url")
def create_queue(aws: Aws, state: Props) -> Props:
    """A queue with its attributes."""
    tags = cast(dict[str, str], state.get("tags") or {})
    made = aws.call("sqs.create_queue", QueueName=state["name"], Attributes=_attributes(state, _QUEUE), tags=tags)
    return {
        "id": made["QueueUrl"],
        "url": made["QueueUrl"],
        "arn": f"arn:{aws.partition}:sqs:{aws.region}:{aws.account}:{state['name']}",
    }


@code(takes=" ".join(name for name in _QUEUE if name != "fifoQueue"))
def set_queue(aws: Aws, state: Props) -> None:
    """A queue's attributes are set together."""
    attributes = {k: v for k, v in _attributes(state, _QUEUE).items() if k != "FifoQueue"}
    aws.call("sqs.set_queue_attributes", QueueUrl=state["id"], Attributes=attributes)


QUEUE = Kind(
    "aws:sqs/queue:Queue",
    create=create_queue,
    changes=(set_queue,),
    delete=Call("sqs.delete_queue", fixed={"QueueUrl": "{id}"}, only=()),
)


@code(takes="queueUrl policy")
def put_queue_policy(aws: Aws, state: Props) -> Props:
    """A queue's policy is one of its attributes."""
    aws.call("sqs.set_queue_attributes", QueueUrl=state["queueUrl"], Attributes={"Policy": state["policy"]})
    return {"id": state["queueUrl"]}


@code()
def drop_queue_policy(aws: Aws, state: Props) -> None:
    """An empty policy is none."""
    aws.call("sqs.set_queue_attributes", QueueUrl=state["queueUrl"], Attributes={"Policy": ""})


QUEUE_POLICY = Kind("aws:sqs/queuePolicy:QueuePolicy", create=put_queue_policy, delete=drop_queue_policy)

DETECTOR = Kind(
    "aws:guardduty/detector:Detector",
    create=Call("guardduty.create_detector", outputs={"id": "DetectorId"}),
    changes=(
        Call("guardduty.update_detector", fixed={"DetectorId": "{id}"}, only=("enable", "findingPublishingFrequency")),
    ),
    delete=Call("guardduty.delete_detector", fixed={"DetectorId": "{id}"}, only=()),
    computed={"arn": "arn:{partition}:guardduty:{region}:{account}:detector/{id}", "accountId": "{account}"},
    defaults={"enable": True},
)


@code(takes="detectorId name status additionalConfigurations")
def put_feature(aws: Aws, state: Props) -> Props:
    """A detector's features are part of it; moto keeps the older data sources only."""
    detector = str(state["detectorId"])
    aws.call("guardduty.get_detector", DetectorId=detector)
    more = [
        {"Name": one["name"], "Status": one["status"]}
        for one in cast(list[Props], state.get("additionalConfigurations") or [])
    ]
    feature: Props = {"Name": state["name"], "Status": state["status"]} | (
        {"AdditionalConfiguration": more} if more else {}
    )
    aws.call("guardduty.update_detector", DetectorId=detector, Features=[feature])
    return {"id": f"{detector}/{state['name']}"}


def known_feature(_: Aws, state: Props) -> None:
    """GuardDuty's features (DetectorFeatureConfiguration); botocore does not check enumerations."""
    if state["status"] not in ("ENABLED", "DISABLED"):
        raise RefusedError("BadRequestException", f"status: {state['status']} is neither ENABLED nor DISABLED")


FEATURE = Kind(
    "aws:guardduty/detectorFeature:DetectorFeature",
    create=put_feature,
    changes=(put_feature,),
    delete=None,
    rules=(known_feature,),
)

KINDS = (TOPIC, TOPIC_POLICY, SUBSCRIPTION, QUEUE, QUEUE_POLICY, DETECTOR, FEATURE)

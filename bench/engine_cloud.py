"""Cloud and identity records for the engine bench: AWS CloudTrail, Azure's activity and sign-in logs, Okta's log.

Written from scratch after the providers' documentation: nested as they are delivered, ids and addresses new in every
record, and a few acts in a thousand that rules look for. Each record is tagged with its logsource.
"""

from collections.abc import Iterator
from random import Random
from typing import Any

Event = dict[str, Any]

ODD = 0.004
CALLS = (
    ("ec2.amazonaws.com", "DescribeInstances"),
    ("s3.amazonaws.com", "GetObject"),
    ("s3.amazonaws.com", "PutObject"),
    ("sts.amazonaws.com", "AssumeRole"),
    ("kms.amazonaws.com", "Decrypt"),
    ("logs.amazonaws.com", "PutLogEvents"),
    ("iam.amazonaws.com", "ListRoles"),
    ("lambda.amazonaws.com", "Invoke20150331"),
    ("rds.amazonaws.com", "DescribeDBInstances"),
)
ODD_CALLS = (
    ("cloudtrail.amazonaws.com", "StopLogging"),
    ("iam.amazonaws.com", "CreateAccessKey"),
    ("ec2.amazonaws.com", "ModifySnapshotAttribute"),
    ("guardduty.amazonaws.com", "CreateIPSet"),
    ("signin.amazonaws.com", "ConsoleLogin"),
)
AGENTS = (
    "aws-cli/2.15.30 Python/3.11.8 Linux/5.10",
    "Boto3/1.34.60 md/Botocore#1.34.60",
    "console.amazonaws.com",
    "aws-sdk-go-v2/1.25.3",
    "Terraform/1.7.4",
)
REGIONS = ("cn-north-1", "cn-northwest-1", "ap-east-1")
ACTS = (
    "Microsoft.Compute/virtualMachines/read",
    "Microsoft.Storage/storageAccounts/listKeys/action",
    "Microsoft.Network/networkInterfaces/write",
    "Microsoft.Resources/deployments/write",
    "Microsoft.Web/sites/read",
)
ODD_ACTS = (
    "MICROSOFT.NETWORK/AZUREFIREWALLS/DELETE",
    "MICROSOFT.KUBERNETES/CONNECTEDCLUSTERS/WRITE",
    "MICROSOFT.KEYVAULT/VAULTS/DELETE",
    "Microsoft.Authorization/roleAssignments/write",
)
OKTA = (
    "user.session.start",
    "user.authentication.sso",
    "user.authentication.verify",
    "app.oauth2.token.grant",
    "policy.evaluate_sign_on",
    "user.mfa.okta_verify",
)
ODD_OKTA = (
    "policy.lifecycle.delete",
    "user.account.privilege.grant",
    "application.lifecycle.delete",
    "system.api_token.create",
    "user.mfa.factor.deactivate",
)


def cloud(count: int, seed: int) -> Iterator[Event]:
    """``count`` records: half CloudTrail, the rest Azure and Okta."""
    chance = Random(seed)
    kinds = (_cloudtrail, _activity, _signin, _okta)
    for number in range(count):
        yield chance.choices(kinds, (50, 15, 15, 20))[0](chance, number)


def _time(number: int) -> str:
    second = number // 300
    return f"2026-03-03T{second // 3600 % 24:02}:{second // 60 % 60:02}:{second % 60:02}Z"


def _address(chance: Random) -> str:
    return (
        f"{chance.choice((36, 58, 101, 203))}.{chance.randrange(8)}.{chance.randrange(64)}.{chance.randrange(1, 255)}"
    )


def _id(chance: Random) -> str:
    text = f"{chance.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _tags(product: str, service: str) -> Event:
    return {"ls_product": product, "ls_service": service, "ls_category": "cloud"}


def _cloudtrail(chance: Random, number: int) -> Event:
    source, name = chance.choice(ODD_CALLS if chance.random() < ODD else CALLS)
    user, account = f"user{chance.randrange(300):03}", "111122223333"
    event: Event = {
        "eventVersion": "1.09",
        "userIdentity": {
            "type": chance.choice(("AssumedRole", "IAMUser", "AWSService")),
            "principalId": f"AROA{chance.getrandbits(64):016X}:{user}",
            "arn": f"arn:aws-cn:sts::{account}:assumed-role/ops/{user}",
            "accountId": account,
            "accessKeyId": f"ASIA{chance.getrandbits(64):016X}",
            "sessionContext": {
                "sessionIssuer": {"type": "Role", "arn": f"arn:aws-cn:iam::{account}:role/ops", "userName": "ops"},
                "attributes": {"creationDate": _time(number), "mfaAuthenticated": "true"},
            },
        },
        "eventTime": _time(number),
        "eventSource": source,
        "eventName": name,
        "awsRegion": chance.choice(REGIONS),
        "sourceIPAddress": _address(chance),
        "userAgent": chance.choice(AGENTS),
        "requestParameters": {
            "bucketName": f"city-{chance.randrange(40)}",
            "key": f"data/{chance.getrandbits(40):x}.parquet",
        },
        "responseElements": {"ConsoleLogin": "Failure"} if name == "ConsoleLogin" else None,
        "requestID": _id(chance),
        "eventID": _id(chance),
        "readOnly": not name.startswith(("Put", "Create", "Stop", "Modify")),
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": account,
        "eventCategory": "Management",
    }
    if chance.random() < 0.02:
        event |= {"errorCode": "AccessDenied", "errorMessage": f"User: {user} is not authorized to perform: {name}"}
    return event | _tags("aws", "cloudtrail")


def _activity(chance: Random, number: int) -> Event:
    act = chance.choice(ODD_ACTS if chance.random() < ODD else ACTS)
    group = f"/subscriptions/{_id(chance)}/resourceGroups/rg-{chance.randrange(60)}"
    return {
        "time": _time(number),
        "resourceId": f"{group}/providers/{act.rpartition('/')[0]}/r{chance.randrange(900)}",
        "operationName": act,
        "category": "Administrative",
        "resultType": chance.choice(("Success", "Start", "Accept")),
        "resultSignature": "Succeeded.",
        "durationMs": chance.randrange(900),
        "callerIpAddress": _address(chance),
        "correlationId": _id(chance),
        "identity": {
            "authorization": {"scope": group, "action": act},
            "claims": {"name": f"admin{chance.randrange(40)}"},
        },
        "level": "Information",
        "properties": {"statusCode": "OK", "serviceRequestId": _id(chance), "message": act, "hierarchy": _id(chance)},
    } | _tags("azure", "activitylogs")


def _signin(chance: Random, number: int) -> Event:
    odd = chance.random() < 10 * ODD
    code = chance.choice((50_126, 50_053, 50_074, 53_003, 500_121)) if odd else 0
    return {
        "time": _time(number),
        "category": "SignInLogs",
        "operationName": "Sign-in activity",
        "ResultType": str(code),
        "ResultDescription": "Invalid username or password." if code else "",
        "callerIpAddress": _address(chance),
        "correlationId": _id(chance),
        "identity": f"user{chance.randrange(900)}",
        "location": chance.choice(("CN", "CN", "CN", "HK", "SG")),
        "AuthenticationRequirement": chance.choice(("singleFactorAuthentication", "multiFactorAuthentication")),
        "Status": "Failure" if code else "Success",
        "properties": {
            "id": _id(chance),
            "userPrincipalName": f"user{chance.randrange(900)}@city.example",
            "appId": _id(chance),
            "appDisplayName": chance.choice(("Office 365", "Azure Portal", "Teams")),
            "clientAppUsed": "Browser",
            "deviceDetail": {"deviceId": _id(chance), "operatingSystem": "Windows 10", "browser": "Edge 126.0"},
        },
    } | _tags("azure", "signinlogs")


def _okta(chance: Random, number: int) -> Event:
    name = chance.choice(ODD_OKTA if chance.random() < ODD else OKTA)
    user = f"user{chance.randrange(900)}@city.example"
    return {
        "uuid": _id(chance),
        "published": _time(number),
        "eventTime": _time(number),
        "eventType": name,
        "version": "0",
        "severity": "INFO",
        "displayMessage": name.replace(".", " "),
        "actor": {"id": f"00u{chance.getrandbits(60):x}", "type": "User", "alternateId": user, "displayName": user},
        "client": {
            "userAgent": {"rawUserAgent": "Mozilla/5.0", "os": "Windows 10", "browser": "CHROME"},
            "zone": "null",
            "ipAddress": _address(chance),
            "geographicalContext": {"city": "Beijing", "country": "China"},
        },
        "outcome": {"result": chance.choice(("SUCCESS", "SUCCESS", "SUCCESS", "FAILURE")), "reason": None},
        "target": [
            {
                "id": f"0oa{chance.getrandbits(60):x}",
                "type": "AppInstance",
                "alternateId": "portal",
                "displayName": "City portal",
            }
        ],
        "transaction": {"type": "WEB", "id": _id(chance)},
        "debugContext": {
            "debugData": {"requestId": _id(chance), "requestUri": "/api/v1/authn", "url": "/api/v1/authn?"}
        },
        "securityContext": {"asNumber": 4134, "asOrg": "chinanet", "isp": "chinanet", "isProxy": False},
    } | _tags("okta", "okta")

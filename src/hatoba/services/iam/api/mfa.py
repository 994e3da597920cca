"""Virtual second factors: made, enabled for a user by two codes in a row, synchronised, taken away.

A device shows codes of its seed (`plan.totp`). No QR code is drawn: the seed is what an app asks for, too.
"""

from __future__ import annotations

import base64

from hatoba.aws.shapes import iam as t
from hatoba.core.records import replace
from hatoba.core.secret import Secret
from hatoba.gateway.call import Call
from hatoba.services.iam import views
from hatoba.services.iam.api.room import conflict, forget, iam, marked_page, new, own_tags, put_new, truncated
from hatoba.services.iam.api.user import asked
from hatoba.services.iam.model import MFA, USER, MfaDevice, User, find_device, mfa_devices, users
from hatoba.services.iam.plan import totp
from hatoba.store.store import View

LIMIT = 8  # devices of one user
_SEED = 32  # bytes


def the_device(view: View, call: Call, serial: str) -> MfaDevice:
    """Raises NoSuchEntity."""
    device = find_device(view, call.scope, serial)
    if device is None:
        raise t.NoSuchEntityException(f"VirtualMFADevice with serial number {serial} does not exist.")
    return device


def _of(view: View, call: Call, user: User, serial: str) -> MfaDevice:
    device = the_device(view, call, serial)
    if device.user != user.id:
        raise t.NoSuchEntityException(f"MFADevice with serial number {serial} is not assigned to {user.name}.")
    return device


def _synchronised(device: MfaDevice, call: Call, first: str, second: str) -> MfaDevice:
    seed = base64.b32decode(device.seed.reveal())
    step = totp.synchronised(seed, first, second, call.now)
    if step is None or step <= device.last:
        raise t.InvalidAuthenticationCodeException("Authentication code for device is not valid.")
    return replace(device, drift=step - int(call.now // totp.STEP), last=step)


@iam.operation
async def create_virtual_mfa_device(
    req: t.CreateVirtualMFADeviceRequest, call: Call
) -> t.CreateVirtualMFADeviceResponse:
    seed = base64.b32encode(bytes.fromhex(call.ids.hex(2 * _SEED))).decode()
    named = {**req, "VirtualMfaDeviceName": req["VirtualMFADeviceName"]}
    with call.tx() as tx:
        device = put_new(tx, MFA, MfaDevice(**new(call, MFA, named), seed=Secret(seed)), req)
    return {
        "VirtualMFADevice": {
            "SerialNumber": MFA.arn(device),
            "Base32StringSeed": seed.encode(),
            "Tags": views.tags(own_tags(call.store, MFA, device)),
        }
    }


@iam.operation
async def delete_virtual_mfa_device(req: t.DeleteVirtualMFADeviceRequest, call: Call) -> None:
    with call.tx() as tx:
        device = the_device(tx, call, req["SerialNumber"])
        if device.user is not None:
            raise conflict("MFA VirtualDevice in use. Must deactivate first.")
        forget(tx, MFA, device)


@iam.operation
async def enable_mfa_device(req: t.EnableMFADeviceRequest, call: Call) -> None:
    with call.tx() as tx:
        user = USER.the(tx, call.scope, req["UserName"])
        device = the_device(tx, call, req["SerialNumber"])
        if device.user is not None:
            raise t.EntityAlreadyExistsException("MFADevice entity at the same path and name already exists.")
        if tx.count(mfa_devices, "user", (user.key.account, user.id)) >= LIMIT:
            raise t.LimitExceededException(f"Cannot exceed quota for MFADevicesPerUser: {LIMIT}")
        device = _synchronised(device, call, req["AuthenticationCode1"], req["AuthenticationCode2"])
        tx.put(mfa_devices, replace(device, user=user.id, enabled=call.now))


@iam.operation
async def resync_mfa_device(req: t.ResyncMFADeviceRequest, call: Call) -> None:
    with call.tx() as tx:
        user = USER.the(tx, call.scope, req["UserName"])
        device = _of(tx, call, user, req["SerialNumber"])
        tx.put(mfa_devices, _synchronised(device, call, req["AuthenticationCode1"], req["AuthenticationCode2"]))


@iam.operation
async def deactivate_mfa_device(req: t.DeactivateMFADeviceRequest, call: Call) -> None:
    with call.tx() as tx:
        user = asked(tx, call, req.get("UserName"))
        device = _of(tx, call, user, req["SerialNumber"])
        tx.put(mfa_devices, replace(device, user=None, enabled=None))


@iam.operation
async def get_mfa_device(req: t.GetMFADeviceRequest, call: Call) -> t.GetMFADeviceResponse:
    if "UserName" in req:
        device = _of(call.store, call, USER.the(call.store, call.scope, req["UserName"]), req["SerialNumber"])
    else:
        device = the_device(call.store, call, req["SerialNumber"])
    answer: t.GetMFADeviceResponse = {"SerialNumber": MFA.arn(device)}
    if device.user is not None and device.enabled is not None:
        holder = call.store.find(users, device.scope, device.user)
        answer["EnableDate"] = device.enabled
        answer["UserName"] = holder.name if holder is not None else device.user
    return answer


@iam.operation
async def list_mfa_devices(req: t.ListMFADevicesRequest, call: Call) -> t.ListMFADevicesResponse:
    user = asked(call.store, call, req.get("UserName"))
    rows = call.store.index(mfa_devices, "user", (user.key.account, user.id))
    page, marker = marked_page(call, rows, req, lambda device: device.id, user.id)
    return {
        "MFADevices": [
            {"UserName": user.name, "SerialNumber": MFA.arn(device), "EnableDate": device.enabled or 0.0}
            for device in page
        ],
        **truncated(marker),
    }


@iam.operation
async def list_virtual_mfa_devices(req: t.ListVirtualMFADevicesRequest, call: Call) -> t.ListVirtualMFADevicesResponse:
    status = req.get("AssignmentStatus", "Any")
    wanted = {"Any": (True, False), "Assigned": (True,), "Unassigned": (False,)}[status]
    scanned = call.store.scan(mfa_devices, call.scope.everywhere())
    rows = (device for device in scanned if (device.user is not None) in wanted)
    page, marker = marked_page(call, rows, req, lambda device: device.id, status)
    return {"VirtualMFADevices": [_shown(call, device) for device in page], **truncated(marker)}


def _shown(call: Call, device: MfaDevice) -> t.VirtualMFADevice:
    shown: t.VirtualMFADevice = {"SerialNumber": MFA.arn(device)}
    holder = call.store.find(users, device.scope, device.user) if device.user is not None else None
    if holder is not None and device.enabled is not None:
        shown["EnableDate"] = device.enabled
        shown["User"] = views.user(holder)
    return shown

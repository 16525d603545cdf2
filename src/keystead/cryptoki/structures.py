"""The structures and functions of PKCS#11 v2.40 as ctypes has them: no packing, CK_ULONG is a C long (not Windows).

The layout is that of pkcs11t.h and pkcs11f.h (OASIS); v3 modules still answer C_GetFunctionList with this list.
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_char, c_char_p, c_ubyte, c_ulong, c_void_p

Ulong = c_ulong
Pointer = POINTER(c_ulong)


class Version(ctypes.Structure):
    _fields_ = (("major", c_ubyte), ("minor", c_ubyte))


class InitializeArgs(ctypes.Structure):
    _fields_ = (
        ("create_mutex", c_void_p),
        ("destroy_mutex", c_void_p),
        ("lock_mutex", c_void_p),
        ("unlock_mutex", c_void_p),
        ("flags", Ulong),
        ("reserved", c_void_p),
    )


class ModuleInfo(ctypes.Structure):
    _fields_ = (
        ("cryptoki", Version),
        ("manufacturer", c_char * 32),
        ("flags", Ulong),
        ("description", c_char * 32),
        ("library", Version),
    )


class TokenInfo(ctypes.Structure):
    _fields_ = (
        ("label", c_char * 32),
        ("manufacturer", c_char * 32),
        ("model", c_char * 16),
        ("serial", c_char * 16),
        ("flags", Ulong),
        ("max_sessions", Ulong),
        ("sessions", Ulong),
        ("max_rw_sessions", Ulong),
        ("rw_sessions", Ulong),
        ("max_pin", Ulong),
        ("min_pin", Ulong),
        ("total_public", Ulong),
        ("free_public", Ulong),
        ("total_private", Ulong),
        ("free_private", Ulong),
        ("hardware", Version),
        ("firmware", Version),
        ("utc_time", c_char * 16),
    )


class SessionInfo(ctypes.Structure):
    _fields_ = (("slot", Ulong), ("state", Ulong), ("flags", Ulong), ("device_error", Ulong))


class MechanismInfo(ctypes.Structure):
    _fields_ = (("least", Ulong), ("most", Ulong), ("flags", Ulong))


class Attribute(ctypes.Structure):
    _fields_ = (("type", Ulong), ("value", c_void_p), ("length", Ulong))


class RawMechanism(ctypes.Structure):
    _fields_ = (("type", Ulong), ("parameter", c_void_p), ("length", Ulong))


class GcmParams(ctypes.Structure):
    _fields_ = (
        ("iv", c_char_p),
        ("iv_length", Ulong),
        ("iv_bits", Ulong),
        ("aad", c_char_p),
        ("aad_length", Ulong),
        ("tag_bits", Ulong),
    )


class PssParams(ctypes.Structure):
    _fields_ = (("digest", Ulong), ("mgf", Ulong), ("salt", Ulong))


class OaepParams(ctypes.Structure):
    _fields_ = (
        ("digest", Ulong),
        ("mgf", Ulong),
        ("source", Ulong),
        ("label", c_void_p),
        ("label_length", Ulong),
    )


class EddsaParams(ctypes.Structure):
    _fields_ = (("prehashed", c_ubyte), ("context_length", Ulong), ("context", c_void_p))


class Ecdh1Params(ctypes.Structure):
    _fields_ = (
        ("kdf", Ulong),
        ("shared_length", Ulong),
        ("shared", c_void_p),
        ("public_length", Ulong),
        ("public", c_void_p),
    )


_S = Ulong  # session, slot, object and mechanism numbers
_M = POINTER(RawMechanism)
_T = POINTER(Attribute)
_B = c_void_p  # bytes in, or a buffer
_CRYPT = (_S, c_char_p, Ulong, _B, Pointer)
_INIT = (_S, _M, _S)

# fmt: off
FUNCTIONS: tuple[tuple[str, tuple[type, ...] | None], ...] = (
    # in the order of CK_FUNCTION_LIST; None: never called
    ("C_Initialize", (POINTER(InitializeArgs),)), ("C_Finalize", (c_void_p,)), ("C_GetInfo", (POINTER(ModuleInfo),)),
    ("C_GetFunctionList", None), ("C_GetSlotList", (c_ubyte, Pointer, Pointer)), ("C_GetSlotInfo", None),
    ("C_GetTokenInfo", (_S, POINTER(TokenInfo))), ("C_GetMechanismList", (_S, Pointer, Pointer)),
    ("C_GetMechanismInfo", (_S, _S, POINTER(MechanismInfo))), ("C_InitToken", None), ("C_InitPIN", None),
    ("C_SetPIN", None), ("C_OpenSession", (_S, Ulong, c_void_p, c_void_p, Pointer)), ("C_CloseSession", (_S,)),
    ("C_CloseAllSessions", (_S,)), ("C_GetSessionInfo", (_S, POINTER(SessionInfo))), ("C_GetOperationState", None),
    ("C_SetOperationState", None), ("C_Login", (_S, Ulong, c_char_p, Ulong)), ("C_Logout", (_S,)),
    ("C_CreateObject", (_S, _T, Ulong, Pointer)), ("C_CopyObject", None), ("C_DestroyObject", (_S, _S)),
    ("C_GetObjectSize", None), ("C_GetAttributeValue", (_S, _S, _T, Ulong)), ("C_SetAttributeValue", None),
    ("C_FindObjectsInit", (_S, _T, Ulong)), ("C_FindObjects", (_S, Pointer, Ulong, Pointer)),
    ("C_FindObjectsFinal", (_S,)), ("C_EncryptInit", _INIT), ("C_Encrypt", _CRYPT), ("C_EncryptUpdate", None),
    ("C_EncryptFinal", None), ("C_DecryptInit", _INIT), ("C_Decrypt", _CRYPT), ("C_DecryptUpdate", None),
    ("C_DecryptFinal", None), ("C_DigestInit", None), ("C_Digest", None), ("C_DigestUpdate", None),
    ("C_DigestKey", None), ("C_DigestFinal", None), ("C_SignInit", _INIT), ("C_Sign", _CRYPT), ("C_SignUpdate", None),
    ("C_SignFinal", None), ("C_SignRecoverInit", None), ("C_SignRecover", None), ("C_VerifyInit", _INIT),
    ("C_Verify", (_S, c_char_p, Ulong, c_char_p, Ulong)), ("C_VerifyUpdate", None), ("C_VerifyFinal", None),
    ("C_VerifyRecoverInit", None), ("C_VerifyRecover", None), ("C_DigestEncryptUpdate", None),
    ("C_DecryptDigestUpdate", None), ("C_SignEncryptUpdate", None), ("C_DecryptVerifyUpdate", None),
    ("C_GenerateKey", (_S, _M, _T, Ulong, Pointer)),
    ("C_GenerateKeyPair", (_S, _M, _T, Ulong, _T, Ulong, Pointer, Pointer)),
    ("C_WrapKey", (_S, _M, _S, _S, _B, Pointer)),
    ("C_UnwrapKey", (_S, _M, _S, c_char_p, Ulong, _T, Ulong, Pointer)),
    ("C_DeriveKey", (_S, _M, _S, _T, Ulong, Pointer)), ("C_SeedRandom", None),
    ("C_GenerateRandom", (_S, _B, Ulong)), ("C_GetFunctionStatus", None), ("C_CancelFunction", None),
    ("C_WaitForSlotEvent", None),
)
# fmt: on


class FunctionList(ctypes.Structure):
    _fields_ = (
        ("version", Version),
        *((name, c_void_p if args is None else ctypes.CFUNCTYPE(Ulong, *args)) for name, args in FUNCTIONS),
    )

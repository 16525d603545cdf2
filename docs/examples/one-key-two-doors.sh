#!/bin/sh
# One key, two doors: AWS KMS encrypts, Vault's transit decrypts, one disable stops both, one log shows it all.
# Needs a `keystead dev` in this directory, the aws and bao commands, and nothing else.
set -eu
there=$(keystead env aws && keystead env vault)   # it ends here where no server runs
eval "$there"

# The keyring that AWS's clients use here gets a second address: a mount of Vault's transit engine.
ring=$(keystead keyring list --json | python3 -c '
import json, os, sys
print(next(one["id"] for one in json.load(sys.stdin) if one["name"] == os.environ["AWS_REGION"]))')
account=$(aws sts get-caller-identity --query Account --output text)
keystead keyring bind "$ring" "vault:$account:kms"

# An alias is the key's name at the mount.
key=$(aws kms create-key --query KeyMetadata.KeyId --output text)
aws kms create-alias --alias-name alias/app --target-key-id "$key"
bao read kms/keys/app | grep -E "^(type|latest_version) "

# Each opens what the other has sealed.
sealed=$(printf hello | aws kms encrypt --key-id alias/app --plaintext fileb:///dev/stdin --query CiphertextBlob --output text)
opened=$(bao write -field=plaintext kms/decrypt/app ciphertext="vault:v1:$sealed")
echo "transit opens what KMS has sealed: $(echo "$opened" | base64 -d)"
sealed=$(bao write -field=ciphertext kms/encrypt/app plaintext="$(printf hello | base64)")
opened=$(echo "${sealed#vault:v1:}" | base64 -d | aws kms decrypt --ciphertext-blob fileb:///dev/stdin --query Plaintext --output text)
echo "KMS opens what transit has sealed: $(echo "$opened" | base64 -d)"

# Disabled once, it is disabled everywhere, from the acknowledgement on.
aws kms disable-key --key-id "$key"
for door in "aws kms encrypt --key-id alias/app --plaintext fileb:///etc/hostname" "bao write kms/encrypt/app plaintext=aGVsbG8="; do
    if $door > refused.txt 2>&1; then echo "it should be disabled" >&2; exit 1; fi
    tail -n 1 refused.txt
done
rm refused.txt
aws kms enable-key --key-id "$key"

keystead audit tail -n 8

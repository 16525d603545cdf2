#!/bin/sh
# From an HSM in a box to keys that never leave it (docs/hardware.md). SoftHSM2 stands in for the HSM.
# Needs softhsm2, opensc (pkcs11-tool), openssl and the aws command; run it in an empty directory.
set -eu
umask 077
MODULE=${MODULE:-/usr/lib/softhsm/libsofthsm2.so}

echo "--- 1. A token, and its PIN in a file of the server's user"
mkdir tokens secrets
echo "directories.tokendir = $PWD/tokens" > softhsm2.conf
export SOFTHSM2_CONF="$PWD/softhsm2.conf"
openssl rand -hex 8 > secrets/so-pin
openssl rand -hex 8 > secrets/pin
softhsm2-util --init-token --free --label keystead --so-pin "$(cat secrets/so-pin)" --pin "$(cat secrets/pin)"

echo "--- 2. The configuration, and what the HSM really does"
mkdir data
cat > data/keystead.toml <<EOF
hsms = { box = { module = "$MODULE", token = "keystead", pin = "file:$PWD/secrets/pin" } }
entropy = { sources = ["hsm:box"], required = true }
protect_in = "box"
EOF
keystead hsm check box --data data | tee check.txt

echo "--- 3. The installation: sealed by the HSM, or by two of three shares; its secret in the HSM, and in files"
keystead init data --seal pkcs11 --hsm box --with-recovery shamir --shares 3 --threshold 2 \
    --slot pkcs11:box --slot "$PWD/slot-1" --slot "$PWD/slot-2" --json > secrets/first.json
field() { python3 -c 'import json, sys; print(eval("one" + sys.argv[2], {"one": json.load(open(sys.argv[1]))}))' "$@"; }
for n in 0 1; do field secrets/first.json "['shares'][$n]" > "secrets/share-$n"; done

serve() {
    keystead serve data --listen aws=127.0.0.1:0 --json "$@" > serving.json &
    server=$!
    while [ ! -s serving.json ]; do kill -0 "$server"; sleep 0.1; done
}
stop() { kill -INT "$server" && wait "$server"; : > serving.json; }
trap 'kill "$server" 2>/dev/null || true' EXIT
serve
keystead status --data data

echo "--- 4. A key that is made in the HSM, and never leaves it"
export AWS_ACCESS_KEY_ID="$(field secrets/first.json "['access_key_id']")" AWS_PAGER="" AWS_DEFAULT_REGION=us-east-1
export AWS_SECRET_ACCESS_KEY="$(field secrets/first.json "['secret_access_key']")"
export AWS_ENDPOINT_URL_KMS="http://$(field serving.json "['listen']['aws']")"
key=$(aws kms create-key --query KeyMetadata.KeyId --output text)
aws kms create-alias --alias-name alias/app --target-key-id "$key"
sealed=$(printf hello | aws kms encrypt --key-id alias/app --plaintext fileb:///dev/stdin --query CiphertextBlob --output text)
echo "$sealed" | base64 -d > sealed.bin
aws kms decrypt --ciphertext-blob fileb://sealed.bin --query Plaintext --output text | base64 -d; echo
signer=$(aws kms create-key --key-spec ECC_NIST_P256 --key-usage SIGN_VERIFY --query KeyMetadata.KeyId --output text)
aws kms sign --key-id "$signer" --message fileb://sealed.bin --signing-algorithm ECDSA_SHA_256 --query Signature --output text | base64 -d > signature.bin
aws kms get-public-key --key-id "$signer" --query PublicKey --output text | base64 -d > public.der
openssl dgst -sha256 -verify public.der -keyform DER -signature signature.bin sealed.bin
keystead key describe "$key" --data data
PIN="$(cat secrets/pin)" pkcs11-tool --module "$MODULE" --token-label keystead --login --pin env:PIN --list-objects

echo "--- 5. What the HSM proves of it, signed, and verified without the server"
keystead key attest "$key" -o app.attestation --data data
keystead key attest --verify app.attestation --key data/audit/key.pub

# And each custodian that the share is still there, from wherever that is: nothing is unsealed.
challenge=$(keystead custody challenge --data data)
for n in 0 1; do
    proof=$(keystead custody prove "$challenge" --share "file:$PWD/secrets/share-$n")
    keystead custody record "$proof" --data data
done

echo "--- 6. The HSM is taken away: shares open the server, and what is in the HSM waits for it"
keystead backup "$PWD/backup" --data data
stop
mv tokens away
serve
keystead status --data data || true
keystead unseal --unseal "file:$PWD/secrets/share-0" --unseal "file:$PWD/secrets/share-1" --data data
export AWS_ENDPOINT_URL_KMS="http://$(field serving.json "['listen']['aws']")"
if aws kms decrypt --ciphertext-blob fileb://sealed.bin 2> refused.txt; then echo "it should be away" >&2; exit 1; fi
cat refused.txt
mv away tokens
stop
serve
export AWS_ENDPOINT_URL_KMS="http://$(field serving.json "['listen']['aws']")"
aws kms decrypt --ciphertext-blob fileb://sealed.bin --query Plaintext --output text | base64 -d; echo

echo "--- 7. A new secret in every slot: the backup opens no more by itself"
keystead slot list --data data
keystead slot rotate --data data
stop
keystead prove destroyed backup --data data

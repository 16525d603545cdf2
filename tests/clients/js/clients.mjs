// The clients, which keep in mind what went well, and what the parts of the script share.

import assert from "node:assert/strict";
import crypto from "node:crypto";
import * as iamSdk from "@aws-sdk/client-iam";
import * as kmsSdk from "@aws-sdk/client-kms";
import * as stsSdk from "@aws-sdk/client-sts";

export const done = { kms: new Set(), sts: new Set(), iam: new Set() };

/** A function (operation, members) -> answer; `options` are the client's. */
function caller(service, sdk, Client, options) {
  const client = new Client({ maxAttempts: 1, ...options });
  return async (operation, members = {}) => {
    const answer = await client.send(new sdk[`${operation}Command`](members));
    done[service].add(operation);
    return answer;
  };
}

export const kmsWith = (options = {}) => caller("kms", kmsSdk, kmsSdk.KMSClient, options);
export const kms = kmsWith();
export const sts = caller("sts", stsSdk, stsSdk.STSClient, {});
export const iam = caller("iam", iamSdk, iamSdk.IAMClient, {});

export const bytes = (text) => new TextEncoder().encode(text);
export const same = (one, other) => assert.deepEqual(Buffer.from(one), Buffer.from(other));
export const named = (word) => `${word}-${crypto.randomBytes(4).toString("hex")}`;
export const fails = (promise, name) =>
  assert.rejects(promise, (error) => error.name === name || assert.fail(`${error} where ${name} was to come`));
export const document = (...statements) => JSON.stringify({ Version: "2012-10-17", Statement: statements });
export const create = async (members = {}) => (await kms("CreateKey", members)).KeyMetadata;

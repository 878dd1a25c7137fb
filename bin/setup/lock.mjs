import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { note } from './report.mjs';

/** Does the work while no other set-up does: meanwhile `file` holds this process's id. */
export async function withLock(file, work) {
  mkdirSync(dirname(file), { recursive: true });
  await acquire(file);
  const release = () => rmSync(file, { force: true });
  process.once('exit', release);
  try {
    return await work();
  } finally {
    release();
    process.off('exit', release);
  }
}

async function acquire(file) {
  let isNoted = false;
  while (!tryAcquire(file)) {
    const owner = ownerOf(file);
    if (owner !== undefined && !isAlive(owner)) removeStale(file, owner);
    else {
      if (!isNoted) note(`another set-up runs here (pid ${owner ?? 'unknown'}); waiting for it`);
      isNoted = true;
      await delay(200);
    }
  }
}

function tryAcquire(file) {
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

/**
 * Moves the file away before it is removed: of two processes that find it stale one succeeds, and a lock that was
 * acquired meanwhile is put back.
 */
function removeStale(file, owner) {
  const aside = `${file}.${process.pid}`;
  try {
    renameSync(file, aside);
  } catch {
    return;
  }
  if (ownerOf(aside) === owner) rmSync(aside, { force: true });
  else renameSync(aside, file);
}

/** The process id in the file; undefined if it is gone, or not written yet. */
function ownerOf(file) {
  try {
    return Number.parseInt(readFileSync(file, 'utf8'), 10) || undefined;
  } catch {
    return undefined;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from './paths.ts';

/** The version of package.json. */
export const version: string = JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8')).version;

#!/usr/bin/env node
// TypeScript is run as it is: tsx translates on import, so there is no build step to forget.
import { register } from 'tsx/esm/api';

register();
await import('../cli.ts');

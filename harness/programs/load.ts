import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { KernelVersion } from '../../model/profile.ts';
import type { Program } from '../../model/program.ts';
import { inputError } from '../errors.ts';
import { parseYaml, readYamlFile } from '../yaml-file.ts';
import { ProgramFileSchema } from './schema.ts';

/** Where the hand-written programs are. */
export const LIBRARY_DIRECTORY = fileURLToPath(new URL('library', import.meta.url));

/**
 * Where the programs are that were found to reach rows of model/coverage which those do not reach (harness/reach): in a
 * folder for each kernel that alone needs them, and in `common`.
 */
export const TRANSITIONS_DIRECTORY = fileURLToPath(new URL('transitions', import.meta.url));

/**
 * Reads a program file (its language: harness/programs/schema.ts).
 *
 * @throws HmmdiffError `E_YAML` (exit status 2), one line per problem with file, line and column
 */
export async function loadProgram(file: string): Promise<Program> {
  return readYamlFile(file, ProgramFileSchema);
}

/** As {@link loadProgram}, from text; `file` only names the source in messages. */
export function parseProgram(file: string, text: string): Program {
  return parseYaml(file, text, ProgramFileSchema);
}

/**
 * All programs of a directory, by name.
 *
 * @throws HmmdiffError as {@link loadProgram}, and `program-name` for a program that is not named as its file
 */
export async function loadLibrary(directory = LIBRARY_DIRECTORY): Promise<Program[]> {
  const files = (await readdir(directory)).filter((file) => file.endsWith('.yaml')).sort();
  return Promise.all(
    files.map(async (file) => {
      const program = await loadProgram(join(directory, file));
      const name = basename(file, '.yaml');
      if (program.name !== name) {
        throw inputError(
          'program-name',
          `${join(directory, file)}: its name is ${program.name}, not ${name}`,
        );
      }
      return program;
    }),
  );
}

/** The programs of {@link TRANSITIONS_DIRECTORY} that a kernel needs. @throws HmmdiffError as {@link loadLibrary} */
export async function loadTransitions(kernel: KernelVersion): Promise<Program[]> {
  const folders = ['common', kernel].map((folder) => loadLibrary(join(TRANSITIONS_DIRECTORY, folder)));
  return (await Promise.all(folders)).flat();
}

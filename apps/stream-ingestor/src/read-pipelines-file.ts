import { pathToFileURL } from 'node:url'
import { readGivenFile } from '@smart-whale/app-process'
import { ConfigurationError } from '@smart-whale/interfaces'
import { type DefineOptions, definePipelines, type PipelineDefinition } from '@smart-whale/messaging/pipeline'

/**
 * Reads a pipelines file: JSON, or a module whose default export is the array.
 * @param options the keys of its `hash` steps
 * @throws ConfigurationError naming the file and what is wrong in it
 */
export async function readPipelinesFile(path: string, options: DefineOptions = {}): Promise<readonly PipelineDefinition[]> {
  const content = /\.[cm]?[jt]s$/.test(path) ? await importDefault(path) : await readJson(path)
  try {
    return definePipelines(content, options)
  } catch (error) {
    throw new ConfigurationError(`${path}: ${(error as Error).message}`, { cause: error })
  }
}

async function readJson(path: string): Promise<unknown> {
  const text = await readGivenFile('the pipelines file', path)
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new ConfigurationError(`the pipelines file ${path} is not JSON: ${(error as Error).message}`, { cause: error })
  }
}

async function importDefault(path: string): Promise<unknown> {
  try {
    return ((await import(pathToFileURL(path).href)) as { default?: unknown }).default
  } catch (error) {
    throw new ConfigurationError(`the pipelines file ${path} can't be loaded: ${(error as Error).message}`, { cause: error })
  }
}

import { defineCollector } from '../core/collector.ts';
import { eachDevice, reading } from '../core/devices.ts';
import { optional, parsed } from '../core/errors.ts';
import { gauge } from '../core/metric.ts';
import { lines, uint } from '../core/text.ts';

const CARD = /^card[0-9]+$/;

const memory = (name: string, help: string) => gauge(`node_drm_memory_${name}_bytes`, help, 'card');

export default defineCollector({
  name: 'drm',
  help: 'Exposes the load and the memory of AMD graphics cards.',
  enabled: false,
  reads: [
    '/sys/class/drm/card<n>/device/uevent',
    '/sys/class/drm/card<n>/device/gpu_busy_percent',
    '/sys/class/drm/card<n>/device/mem_info_*',
    '/sys/class/drm/card<n>/device/power_dpm_force_performance_level',
    '/sys/class/drm/card<n>/device/unique_id',
  ],
  flags: {},
  metrics: {
    info: gauge(
      'node_drm_card_info',
      'What the card is and how its power is managed; the value is always 1.',
      'card',
      'memory_vendor',
      'power_performance_level',
      'unique_id',
      'vendor',
    ),
    gpu_busy_percent: gauge('node_drm_gpu_busy_percent', 'How busy the graphics processor is, in percent.', 'card'),
    mem_info_gtt_total: memory('gtt_size', 'Size of the graphics translation table.'),
    mem_info_gtt_used: memory('gtt_used', 'Used part of the graphics translation table.'),
    mem_info_vram_total: memory('vram_size', 'Size of the video memory.'),
    mem_info_vram_used: memory('vram_used', 'Used part of the video memory.'),
    mem_info_vis_vram_total: memory('vis_vram_size', 'Size of the video memory that the processor can reach.'),
    mem_info_vis_vram_used: memory('vis_vram_used', 'Used part of the video memory that the processor can reach.'),
  },
  setup({ sys }, { info, ...values }) {
    /** One attribute of a card. https://docs.kernel.org/gpu/amdgpu/driver-misc.html */
    const read = (card: string, name: string): string | undefined =>
      reading(() => sys.readOnce(`class/drm/${card}/device/${name}`).trim());
    return (out, turn) => {
      const cards = (optional(() => sys.list('class/drm')) ?? []).filter((name) => CARD.test(name));
      return eachDevice(cards, turn, (card) => {
        if (!lines(read(card, 'uevent') ?? '').includes('DRIVER=amdgpu')) return;
        const label = (name: string): string => read(card, name) ?? '';
        const level = label('power_dpm_force_performance_level');
        out.row(info, 1, [card, label('mem_info_vram_vendor'), level, label('unique_id'), 'amd']);
        for (const [file, family] of Object.entries(values)) {
          const text = read(card, file);
          if (text !== undefined) out.sample(family, parsed(uint(text), `${card}/device/${file}`, text), card);
        }
      });
    };
  },
});
